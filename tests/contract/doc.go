// Package contract holds the running mesh to its contracts as an outsider sees
// them: by reflection with grpcurl's library, by the policies and reasons that
// the contracts promise, and over mutual TLS.
package contract
