//! The wire types of the HTTP API, nothing else: server, command line and node share them.
#![warn(missing_docs)]
