package schemas

import (
	"fmt"
	"strings"
)

// fetchedSince are the schemes of URIs that not every supported release fetches
// from. Read from its storage initializer and its webhook for pods.
var fetchedSince = map[string]KServeVersion{"oci": {0, 12}, "hf": {0, 14}}

const (
	schemeOCI  = "oci"
	ociWarning = "KServe serves models out of images (modelcars) only where it is told to, and by default it is not"
	ociRemedy  = "set enableModelcar to true in storageInitializer of KServe's ConfigMap inferenceservice-config, or move the artefact"
)

// schemeFault says why a release does not fetch from a URI, and what to do; empty:
// it does.
func schemeFault(uri string, release KServeVersion) (message, remedy string) {
	scheme, _, _ := strings.Cut(uri, "://")
	since, young := fetchedSince[scheme]
	if !young || release.AtLeast(since) {
		return "", ""
	}
	return fmt.Sprintf("KServe %s fetches nothing from %s://, %s is the first that does", release, scheme, since),
		"move the artefact, to s3:// for example, or upgrade KServe and write its version"
}

func isOCI(uri string) bool { return strings.HasPrefix(uri, schemeOCI+"://") }

// checkStorage: the environment's KServe fetches from where the templates lead.
func (r *report) checkStorage(spec *EnvironmentSpec) {
	release, err := ParseKServeVersion(spec.KServe.Version)
	if err != nil || !r.sound("spec.kserve.version") {
		return
	}
	r.checkTemplate("spec.artifacts", spec.Artifacts, release)
	for i := range spec.Isolation {
		r.checkTemplate(fmt.Sprintf("spec.isolation[%d].artifacts", i), spec.Isolation[i].Artifacts, release)
	}
}

func (r *report) checkTemplate(field, template string, release KServeVersion) {
	if !r.sound(field) {
		return
	}
	switch message, remedy := schemeFault(template, release); {
	case message != "":
		r.fault(field, CodeServingMode, message, remedy)
	case isOCI(template):
		r.warn(field, CodeServingMode, ociWarning, ociRemedy)
	}
}

// storage: the same of a manifest's own URI. What follows from a template is a
// finding of the environment.
func (c *references) storage(release KServeVersion) {
	const field = "spec.model.uri"
	uri := c.spec.Model.URI
	switch message, remedy := schemeFault(uri, release); {
	case message != "":
		c.fault(field, CodeServingMode, message, remedy)
	case isOCI(uri):
		c.warn(field, CodeServingMode, ociWarning, ociRemedy)
	}
}
