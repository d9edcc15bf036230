//! Bad surroundings and bad input, through the command.

mod definitions;
mod neighbours;
mod project;
mod surroundings;
mod terminal;
