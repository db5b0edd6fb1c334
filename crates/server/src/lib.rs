//! Faces of the engine over HTTP. Nothing here decides: a handler reads a request, asks the engine once, and writes what it said.
