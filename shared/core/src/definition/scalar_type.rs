//! The types of scalar values.

/// The types of parameters and of declared outputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ScalarType {
    String,
    Integer,
    Float,
    Boolean,
}

impl ScalarType {
    pub const ALL: [(&'static str, Self); 4] = [
        ("String", Self::String),
        ("Integer", Self::Integer),
        ("Float", Self::Float),
        ("Boolean", Self::Boolean),
    ];

    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(_, scalar)| *scalar == self).map_or("", |(name, _)| name)
    }
}
