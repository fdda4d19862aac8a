// Package rpc is how processes of the mesh speak gRPC: one constructor for
// servers, one for connections, and the chain of interceptors between a wire
// and a room.
//
// A concern is written once, as an Interceptor, and serves unary calls and
// streams alike. The chain of a wire is, outermost first: request id, trace,
// log, metrics, recovery, deadline and depth, authentication, rate limit,
// validation. Local calls keep trace, metrics and recovery only: the rest was
// done at the edge of the process.
//
// Every method has a row in the policy table, read from the contract's method
// options. A server with a method that has none does not start.
package rpc
