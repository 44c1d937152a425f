module example.org/replicas

go 1.26.0
