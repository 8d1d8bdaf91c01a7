//! What the test of the virtual machine is made of: the packages it needs, the guest's file system, the machine.

pub mod archive;
pub mod machine;
pub mod programs;
