use pyo3::prelude::*;

mod codec;

#[pymodule(gil_used = true)]
mod _kernel {
    use super::*;

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        codec::register(module)
    }
}
