// Package signature says what is signed of a model, and whether a signature over
// it is good.
//
// What is signed is a [Statement]: a few lines of text over the registered
// model's name, its version, where its artefact lies and the artefact's digest.
// A person signs these bytes with cosign or openssl; the signature stands in the
// manifest, the public keys in the environment's file. Verification is
// computation alone, with sigstore's library: no network, no transparency log,
// no certificate.
//
// Manifests and environments come from reconciler/review, which reports the
// findings in the stage security.
package signature
