//! The two macros in which messages write down their bytes: 32 of a body, 40 of a continuation payload.

/// Fields of one body or payload, in order, with their Rust types; `number` is the message or the tag.
#[derive(Clone, Copy, Debug)]
pub struct Layout {
    pub name: &'static str,
    pub number: u16,
    pub fields: &'static [(&'static str, &'static str)],
}

/// Bodies: `Name = Message { fields }`.
macro_rules! layouts {
    ($($(#[$doc:meta])* $name:ident = $message:ident { $($(#[$field_doc:meta])* $field:ident: $type:ty,)* })*) => {
        $($(#[$doc])*
        #[derive(
            Clone, Copy, Debug, PartialEq, Eq,
            zerocopy::FromBytes, zerocopy::IntoBytes, zerocopy::Immutable, zerocopy::KnownLayout,
        )]
        #[repr(C)]
        pub struct $name { $($(#[$field_doc])* pub $field: $type,)* }
        $crate::record::body!($name, $crate::message::Message::$message);)*

        /// The bodies above, for readers that build their own types from them.
        pub const BODIES: &[$crate::layout::Layout] = &[$($crate::layout::Layout {
            name: stringify!($name),
            number: $crate::message::Message::$message as u16,
            fields: &[$((stringify!($field), stringify!($type)),)*],
        },)*];
    };
}

/// Payloads: `Name = TAG { fields }`, with `TAG` in a module `tag` beside the call.
macro_rules! payloads {
    ($($(#[$doc:meta])* $name:ident = $tag:ident { $($(#[$field_doc:meta])* $field:ident: $type:ty,)* })*) => {
        $($(#[$doc])*
        #[derive(
            Clone, Copy, Debug, PartialEq, Eq,
            zerocopy::FromBytes, zerocopy::IntoBytes, zerocopy::Immutable, zerocopy::KnownLayout,
        )]
        #[repr(C)]
        pub struct $name { $($(#[$field_doc])* pub $field: $type,)* }
        $crate::record::continuation_payload!($name, tag::$tag);)*

        /// The payloads above, for readers that build their own types from them.
        pub const PAYLOADS: &[$crate::layout::Layout] = &[$($crate::layout::Layout {
            name: stringify!($name),
            number: tag::$tag,
            fields: &[$((stringify!($field), stringify!($type)),)*],
        },)*];
    };
}

pub(crate) use {layouts, payloads};
