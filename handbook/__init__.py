"""What the documentation says that no person writes: the reference from the code, tables from measurements, pictures from runs."""
