//! Every metric and log field, declared once.
