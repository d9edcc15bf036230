//! Bad surroundings and bad input, through the command.

mod definitions;
mod project;
mod surroundings;
mod terminal;
