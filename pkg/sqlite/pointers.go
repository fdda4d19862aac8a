package sqlite

import "unsafe"

// at is the T that lies in SQLite's memory.
func at[T any](p uintptr) *T { return (*T)(*(*unsafe.Pointer)(unsafe.Pointer(&p))) }

// pointer is what SQLite, which was translated to Go, calls a function by. f is
// declared at the top of a package: such functions lie still.
func pointer[F any](f F) uintptr { return *(*uintptr)(unsafe.Pointer(&f)) }

// call is the function that SQLite calls by p.
func call[F any](p uintptr) F { return *(*F)(unsafe.Pointer(&p)) }
