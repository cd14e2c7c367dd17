//! The catalog on AWS: publishers racing, crashes between any two calls, and what Glue shows. S3 and Glue are moto's.

mod athena;
mod crash;
mod form;
mod lab;
mod late;
mod race;
mod repair;
