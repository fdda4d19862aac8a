// Package message holds what the session room knows about single messages:
// which it refuses, how many tokens it takes them for, and how it stores them.
package message
