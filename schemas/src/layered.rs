//! Blocks that are merged field by field: an inner one keeps what it says and asks the next one out for the rest.

/// Lets a block fill its gaps from an outer one.
macro_rules! layered {
    ($block:ident { $($field:ident),* $(,)? }) => {
        impl $block {
            /// This block with the gaps filled from `outer`.
            pub fn or(&self, outer: &$block) -> $block {
                let $block { $($field),* } = *self;
                $block { $($field: $field.or(outer.$field)),* }
            }
        }
    };
}

/// Gives every field of a block its plain value, which is the default where the block says nothing.
macro_rules! plain {
    ($block:ident { $($(#[$doc:meta])* $field:ident: $kind:ty = $default:expr),* $(,)? }) => {
        impl $block {
            $($(#[$doc])* pub fn $field(&self) -> $kind {
                self.$field.unwrap_or($default)
            })*

            /// This block without gaps.
            pub fn filled(&self) -> $block {
                $block { $($field: Some(self.$field())),* }
            }
        }
        layered!($block { $($field),* });
    };
}

pub(crate) use {layered, plain};
