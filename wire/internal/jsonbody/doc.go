// Package jsonbody is what codecs of JSON dialects share: a body read value by
// value with the way to each ([Value]), JSON written without reflection
// ([Writer]), members that no field holds kept as they stand ([Extra]), and the
// faults that name what is wrong.
package jsonbody
