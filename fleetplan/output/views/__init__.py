"""Values as documents: one file per thing that is shown."""
