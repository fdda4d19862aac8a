// Command load measures the mesh beside the standard library's reverse proxy,
// in one run on one machine: a scripted provider, each proxy as a process of
// its own, and a client that checks every answer. Rounds are interleaved;
// figures are medians over rounds, to be read as ratios.
//
//	go run ./load -gptmesh ../bin/gptmesh -rounds 5
package main
