//! When two cells are equal.

use arrow::array::{Array as _, ArrayRef, AsArray as _, make_comparator};
use arrow::compute::SortOptions;
use arrow::datatypes::{DataType, Float32Type, Float64Type};
use arrow::error::ArrowError;

/// Returns whether the left cell of one row equals the right cell of another.
pub(super) type Equal = Box<dyn Fn(usize, usize) -> bool>;

/// Returns whether two numbers are equal within `tolerance`, absolute for small and relative for large ones.
/// NaN equals NaN; an infinity only itself.
pub(super) fn close(left: f64, right: f64, tolerance: f64) -> bool {
    let near = || {
        left.is_finite()
            && right.is_finite()
            && (left - right).abs() <= tolerance * left.abs().max(right.abs()).max(1.0)
    };
    left == right || (left.is_nan() && right.is_nan()) || near()
}

/// Returns the equality of the cells of two columns of the same type: null equals null, lists and structs are equal when
/// their items are, in order.
///
/// # Errors
/// When the columns have different types or one that has no order.
pub(super) fn equal(left: &ArrayRef, right: &ArrayRef, tolerance: f64) -> Result<Equal, ArrowError> {
    let values = values(left, right, tolerance)?;
    let (left, right) = (left.clone(), right.clone());
    Ok(Box::new(move |l, r| match (left.is_null(l), right.is_null(r)) {
        (false, false) => values(l, r),
        (left, right) => left == right,
    }))
}

fn values(left: &ArrayRef, right: &ArrayRef, tolerance: f64) -> Result<Equal, ArrowError> {
    Ok(match (left.data_type(), right.data_type()) {
        (DataType::Float64, DataType::Float64) => {
            let (left, right) =
                (left.as_primitive::<Float64Type>().clone(), right.as_primitive::<Float64Type>().clone());
            Box::new(move |l, r| close(left.value(l), right.value(r), tolerance))
        }
        (DataType::Float32, DataType::Float32) => {
            let (left, right) =
                (left.as_primitive::<Float32Type>().clone(), right.as_primitive::<Float32Type>().clone());
            Box::new(move |l, r| close(left.value(l).into(), right.value(r).into(), tolerance))
        }
        (DataType::List(_), DataType::List(_)) => {
            let (left, right) = (left.as_list::<i32>(), right.as_list::<i32>());
            let items = equal(left.values(), right.values(), tolerance)?;
            runs(left.offsets().clone(), right.offsets().clone(), items)
        }
        (DataType::Map(..), DataType::Map(..)) => {
            let (left, right) = (left.as_map(), right.as_map());
            let entries = |map: &arrow::array::MapArray| -> ArrayRef { std::sync::Arc::new(map.entries().clone()) };
            let items = equal(&entries(left), &entries(right), tolerance)?;
            runs(left.offsets().clone(), right.offsets().clone(), items)
        }
        (DataType::Struct(_), DataType::Struct(_)) => {
            let (left, right) = (left.as_struct().columns(), right.as_struct().columns());
            let members = left.iter().zip(right).map(|(left, right)| equal(left, right, tolerance));
            let members = members.collect::<Result<Vec<_>, _>>()?;
            Box::new(move |l, r| members.iter().all(|equal| equal(l, r)))
        }
        _ => {
            let order = make_comparator(left, right, SortOptions::default())?;
            Box::new(move |l, r| order(l, r).is_eq())
        }
    })
}

type Offsets = arrow::buffer::OffsetBuffer<i32>;

fn runs(left: Offsets, right: Offsets, items: Equal) -> Equal {
    let run = |offsets: &Offsets, row: usize| offsets[row] as usize..offsets[row + 1] as usize;
    Box::new(move |l, r| {
        let (left, right) = (run(&left, l), run(&right, r));
        left.len() == right.len() && left.zip(right).all(|(l, r)| items(l, r))
    })
}
