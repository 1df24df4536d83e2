"""Reading: any file a book may come as, to tables of text, to checked values; every surprise is named.

`sources` finds the files, `delimited`, `workbook` and `columnar` read them as grids of text, `mapping` finds the
columns, `convert` makes values. What stops a run is an error, what a reader must know a warning; both say where.
"""
