//go:build !meshclone && !race

package events

// spoils says that memory that was lent is spoiled and not lent again.
const spoils = false

func spoil([]text) {}
