// Package path walks one turn through a whole mesh, in every shape and on both
// stores: answered, left, failed, cut short, repeated, killed and started
// again. What a promise of one room means for a client is shown here.
package path
