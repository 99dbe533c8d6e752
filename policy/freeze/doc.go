// Package freeze says whether deployments to an environment are frozen at a
// time. Freezes come from the governance's file, the time from the engine.
package freeze
