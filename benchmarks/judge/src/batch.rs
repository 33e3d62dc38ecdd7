//! Messages that the harness hands over many at a time.
//!
//! One after the other, each answered before the next is looked at. Only with our own ring, where a report is handed over
//! when it is written: with the harness's queue a burst would keep the reports of earlier messages back.

use std::mem::ManuallyDrop;

use super::{CancelMessage, ModifyMessage, NewOrderMessage, engine};

/// `me_msg_t`.
#[repr(C)]
pub struct Message {
    kind: u8,
    _reserved: [u8; 7],
    body: Body,
}

/// By the kind of the message.
#[repr(C)]
union Body {
    new_order: ManuallyDrop<NewOrderMessage>,
    cancel: ManuallyDrop<CancelMessage>,
    modify: ManuallyDrop<ModifyMessage>,
}

const _: () = assert!(size_of::<Message>() == 40);

const NEW_ORDER: u8 = 0;
const CANCEL: u8 = 1;

#[unsafe(no_mangle)]
pub unsafe extern "C" fn engine_on_batch(messages: *const Message, count: u32) {
    // SAFETY: the harness passes an array of so many messages, each of the kind it says.
    let messages = unsafe { std::slice::from_raw_parts(messages, count as usize) };
    let engine = engine();
    for message in messages {
        // SAFETY: as above.
        unsafe {
            match message.kind {
                NEW_ORDER => engine.new_order(&message.body.new_order),
                CANCEL => engine.cancel(&message.body.cancel),
                _ => engine.modify(&message.body.modify),
            }
        }
    }
}
