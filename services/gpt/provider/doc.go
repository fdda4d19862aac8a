// Package provider is the seam between the gpt room and the APIs of model
// providers. Each adapter is a package below; providertest is the suite that
// all of them pass.
//
// An adapter makes exactly one call: it knows no retries, no ledger, no prices
// and no limits of time. The room adds them around it and ends a call by its
// context.
package provider
