//! A number and a name for each kind of an error, which stay what they are: for bindings, logs and counters.

/// Gives a type of errors its numbers and names, as `pattern = number, name;`.
macro_rules! identified {
    ($type:ty: $($pattern:pat = $code:literal, $name:literal;)*) => {
        impl $type {
            /// The number of this kind of error, the same in every version. No other type of the crate has it.
            #[must_use]
            pub const fn code(&self) -> u16 {
                match self {
                    $($pattern => $code,)*
                }
            }

            /// The name of this kind of error, the same in every version: lower case with `_`.
            #[must_use]
            pub const fn name(&self) -> &'static str {
                match self {
                    $($pattern => $name,)*
                }
            }
        }
    };
}

pub(crate) use identified;
