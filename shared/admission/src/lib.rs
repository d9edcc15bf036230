//! Which requests the servers of sidestep on this machine let in, and how many connections.
//!
//! [`serve`] serves the API of `sidestep serve` and the embedded services. It bounds connections
//! and the time for a request's head. Before a server sees a request, its [`Gate`] checks:
//!
//! ```text
//! connection -> serve: caps, time limits
//!   -> origin: a loopback `Host`, and no web page behind the request
//!   -> signature: Signature Version 4 by a key that the gate knows
//!   -> the server
//! ```

mod credentials;
mod descriptors;
mod gate;
mod keys;
mod origin;
mod place;
mod refusal;
mod role;
mod server;
mod service;
mod signature;

pub use self::credentials::{Credentials, InvalidCredentials};
pub use self::descriptors::{connections_per_listener, raise_descriptors};
pub use self::gate::{Caller, Doors, Gate, Unverified};
pub use self::keys::{AccessKeys, AccessKeysError};
pub use self::origin::{Foreign, check_origin, is_loopback};
pub use self::role::RoleSession;
pub use self::server::{Answer, IDLE, Limits, serve};
pub use self::service::Service;
pub use self::signature::{Claim, Refused, Secrets, sign};
