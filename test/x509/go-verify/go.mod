module countersign.test/goverify

go 1.19
