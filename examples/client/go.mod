module example.org/directory

go 1.26.0
