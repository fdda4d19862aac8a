// Package socket makes connections whose reads and writes the Go scheduler is
// not told about.
//
// The runtime expects any system call to block: it lets go of the processor
// beforehand, and its monitor, which looks every 20 microseconds while that
// happens, gives the processor to another thread where a call takes longer. A
// socket never blocks, its file is in non-blocking mode; but a write to a peer on
// the same machine takes 20 to 100 microseconds, in which the kernel also does
// the peer's part. So under load the monitor never sleeps, and threads take
// processors from each other only to give them back. A call of which the
// scheduler knows nothing is to it like a loop of that length.
//
// Waiting for a socket to be ready is the network poller's matter as ever.
package socket
