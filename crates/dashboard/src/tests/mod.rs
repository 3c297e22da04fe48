//! Pages and their protection over a real socket, on a small study.

mod pages;
mod protection;
mod site;
