package bindings

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mlops-platform/mooring/tools/awsschema/schema"
)

const providerSource = `
export interface AwsProviderConfig {
  readonly region?: string;
  /**
  * default_tags block
  */
  readonly defaultTags?: AwsProviderDefaultTags[] | cdktf.IResolvable;
}
export interface AwsProviderDefaultTags {
  readonly tags?: { [key: string]: string };
}
export function awsProviderDefaultTagsToHclTerraform(struct?: AwsProviderDefaultTags): any {
  const attrs = {
    tags: {
      value: cdktf.hashMapperHcl(cdktf.stringToHclTerraform)(struct!.tags),
      isBlock: false,
      type: "map",
    },
  };
}
export class AwsProvider extends cdktf.TerraformProvider {
  public static readonly tfResourceType = "aws";
        providerVersion: '6.25.0',
    const attrs = {
      region: {
        value: cdktf.stringToHclTerraform(this._region),
        isBlock: false,
        type: "simple",
      },
      default_tags: {
        value: cdktf.listMapperHcl(awsProviderDefaultTagsToHclTerraform, true)(this._defaultTags),
        isBlock: true,
        type: "list",
      },
    };
}
`

const resourceSource = `
export interface ThingConfig extends cdktf.TerraformMetaArguments {
  /**
  * rule block
  */
  readonly rule: ThingRule;
}
export class ThingRuleOutputReference extends cdktf.ComplexObject {
  // days - computed: false, optional: true, required: false
  private _days?: number;
  public get days() {
    return this.getNumberAttribute('days');
  }
}
export class Thing extends cdktf.TerraformResource {
  public static readonly tfResourceType = "aws_thing";
        providerVersion: '6.25.0',
  // arn - computed: true, optional: false, required: false
  public get arn() {
    return this.getStringAttribute('arn');
  }

  // zones - computed: false, optional: false, required: true
  private _zones?: string[];
  public get zones() {
    return cdktf.Fn.tolist(this.getListAttribute('zones'));
  }

  // rule - computed: false, optional: false, required: true
  private _rule = new ThingRuleOutputReference(this, "rule");
  public get rule() {
    return this._rule;
  }
    const attrs = {
      rule: {
        value: thingRuleToHclTerraform(this._rule.internalValue),
        isBlock: true,
        type: "list",
      },
    };
}
`

// archive writes an npm archive with the given sources, and gives its path and digest.
func archive(t *testing.T, sources map[string]string) (string, string) {
	t.Helper()
	var content bytes.Buffer
	zipped := gzip.NewWriter(&content)
	files := tar.NewWriter(zipped)
	for name, source := range sources {
		sourceMap, err := json.Marshal(map[string]any{"sourcesContent": []string{source}})
		if err != nil {
			t.Fatal(err)
		}
		script := "x\n//# sourceMappingURL=data:application/json;base64," + base64.StdEncoding.EncodeToString(sourceMap)
		if err := files.WriteHeader(&tar.Header{Name: "package/lib/" + name + "/index.js", Size: int64(len(script)), Mode: 0o644}); err != nil {
			t.Fatal(err)
		}
		if _, err := files.Write([]byte(script)); err != nil {
			t.Fatal(err)
		}
	}
	if err := files.Close(); err != nil {
		t.Fatal(err)
	}
	if err := zipped.Close(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "bindings.tgz")
	if err := os.WriteFile(path, content.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	sum := sha512.Sum512(content.Bytes())
	return path, "sha512-" + base64.StdEncoding.EncodeToString(sum[:])
}

func TestTheSchemaIsWhatTheSourcesSay(t *testing.T) {
	path, digest := archive(t, map[string]string{"provider": providerSource, "thing": resourceSource})
	provider, err := Read(path, digest, Uses{Resources: []string{"aws_thing", "aws_nothing"}})
	if err != nil {
		t.Fatal(err)
	}
	if provider.Version != "6.25.0" || len(provider.Resources) != 1 {
		t.Fatalf("version %s with %d resources, want 6.25.0 with one", provider.Version, len(provider.Resources))
	}
	thing := provider.Resources["aws_thing"]
	if arn := thing.Attributes["arn"]; !arn.Computed || arn.Optional || arn.Required || !arn.Type.Is(schema.String.Type) {
		t.Errorf("arn is %+v, want a computed string", arn)
	}
	if zones := thing.Attributes["zones"]; !zones.Required || !zones.Type.Is(schema.SetOf(schema.String).Type) {
		t.Errorf("zones is %+v, want a required set of strings", zones)
	}
	if rule := thing.Blocks["rule"]; rule.Nesting != schema.List || rule.MinItems != 1 || rule.MaxItems != 1 || !rule.Block.Attributes["days"].Optional {
		t.Errorf("rule is %+v, want exactly one block with days", rule)
	}
	if tags := provider.Config.Blocks["default_tags"].Block.Attributes["tags"]; !tags.Type.Is(schema.MapOf(schema.String).Type) {
		t.Errorf("default_tags.tags is %+v, want a map of strings", tags)
	}
}

func TestWhatIsNotUnderstoodIsAnError(t *testing.T) {
	for name, test := range map[string]struct{ from, to, want string }{
		"a getter of a new form": {"this.getStringAttribute('arn')", "this.getOtherAttribute('arn')", "getter that is not known"},
		"no getter":              {"public get arn()", "public got arn()", "has no getter"},
		"a struct elsewhere":     {"export class ThingRuleOutputReference", "export class OtherOutputReference", "is in another file"},
		"another resource":       {`"aws_thing"`, `"aws_other"`, "is of aws_other"},
		"no version":             {"providerVersion", "version", "no providerVersion"},
	} {
		t.Run(name, func(t *testing.T) {
			path, digest := archive(t, map[string]string{"provider": providerSource, "thing": strings.Replace(resourceSource, test.from, test.to, 1)})
			if _, err := Read(path, digest, Uses{Resources: []string{"aws_thing"}}); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Fatalf("got %v, want an error that says %q", err, test.want)
			}
		})
	}
}

func TestAnotherPackageThanThePinnedOneIsRefused(t *testing.T) {
	path, _ := archive(t, map[string]string{"provider": providerSource})
	if _, err := Read(path, "sha512-AAAA", Uses{}); err == nil || !strings.Contains(err.Error(), "is pinned") {
		t.Fatalf("got %v, want a refusal", err)
	}
}
