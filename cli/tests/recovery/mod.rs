//! Retries, time-outs, stop, taking up again and callbacks, through the command.

mod callbacks;
mod control;
mod joined;
pub(crate) mod project;
mod repair;
mod retries;
mod uploads;
