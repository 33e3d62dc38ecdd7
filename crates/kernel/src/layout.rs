//! The two macros in which messages write down their bytes: 32 of a body, 40 of a continuation payload.

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
    };
}

pub(crate) use {layouts, payloads};
