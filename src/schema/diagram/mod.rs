//! Pictures of a schema: its tables as boxes, its foreign keys as lines. Each is a pure function of the schema.

mod channel;
mod dot;
mod entities;
mod font;
mod layers;
mod layout;
mod mermaid;
mod place;
mod svg;
