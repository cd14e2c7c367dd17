//! `soflow open`: pages of clusters by links and through tunnels, against the twin and a double of the SSM agent.

mod agent;
mod jupyterhub;
mod lab;
mod links;
mod tunnels;
mod ways;
