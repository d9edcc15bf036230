//! Functions that are made through the API, kept in the state folder.
//!
//! ```text
//! request (what is asked) -> record (settings, checked) -> unzip (the code)
//!                         -> Runtimes (how it is run, which the command knows)
//! ```

mod functions;
mod record;
mod refusal;
mod request;
mod unzip;

pub use self::functions::{Runtimes, UnpackedFunction};

pub(super) use self::functions::Control;
pub(super) use self::record::Record;
pub(super) use self::refusal::Refusal;
pub(super) use self::request::Asked;
