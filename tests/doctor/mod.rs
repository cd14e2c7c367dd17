//! The doctor against moto and an EMR that answers as AWS does: all well, three problems, no permissions.

mod checks;
mod ward;
