/**
 * Long runs: a journal of what is done, so that a run that ended early can go on; shards of a run; a lock on its output; and signals
 * that end it after the unit at hand.
 */
package dev.belay.run;
