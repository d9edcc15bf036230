//! S3 event notifications: which functions ask for them, S3's event JSON, and their delivery.
//!
//! ```text
//! write -> one transaction: object row + outbox row
//!       -> dispatcher -> EventSink -> outbox row removed
//! ```
//!
//! Delivery is at least once and in no promised order, as in S3: an event is removed from the
//! outbox only after every function took it, so a crash in between delivers it again. Queues,
//! topics and EventBridge are left out.

mod dispatcher;
mod notification;
mod record;

pub use dispatcher::{BoxError, EventSink};
pub use notification::FunctionNotification;

pub(crate) use dispatcher::{Undelivered, dispatch};
pub(crate) use record::{EventName, ObjectEvent};
