package contract

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/vektah/gqlparser/v2/ast"
)

// checker is a RoundTripper that holds every request and every answer against the description.
type checker struct {
	report func(format string, args ...any) // a breach
	d      *description
	schema *ast.Schema

	mu    sync.Mutex
	met   map[string]bool // "METHOD /path" answered with success
	codes map[int]int     // how often each status was answered
}

func newChecker(t *testing.T) *checker {
	return &checker{report: t.Errorf, d: describe(t), schema: graphQLSchema(t), met: map[string]bool{}, codes: map[int]int{}}
}

func (c *checker) RoundTrip(req *http.Request) (*http.Response, error) {
	sent, err := take(&req.Body)
	if err != nil {
		return nil, err
	}
	if req.URL.Path == "/api/graphql" {
		return c.graphQL(req, sent)
	}
	route, params, err := c.d.find(req.Method, strings.TrimPrefix(req.URL.Path, "/api/v3"))
	if err != nil {
		c.report("%v", err)
		return http.DefaultTransport.RoundTrip(req)
	}
	in := c.input(req, sent, route, params)
	if err := c.checkRequest(in); err != nil {
		c.report("request %s %s %s: %v", req.Method, req.URL.Path, sent, err)
	}
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	got, err := take(&resp.Body)
	if err != nil {
		return nil, err
	}
	if err := c.checkAnswer(in, resp, got); err != nil {
		c.report("answer %d to %s %s: %v\n%s", resp.StatusCode, req.Method, req.URL.Path, err, got)
	}
	c.note(route, resp.StatusCode)
	return resp, nil
}

func (c *checker) graphQL(req *http.Request, sent []byte) (*http.Response, error) {
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	got, err := take(&resp.Body)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode == http.StatusOK {
		err = checkGraphQL(c.schema, sent, got)
	} else {
		err = c.checkBasicError(got)
	}
	if err != nil {
		c.report("answer %d to the query %s: %v\n%s", resp.StatusCode, sent, err, got)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.codes[resp.StatusCode]++
	return resp, nil
}

// take reads a body and puts it back.
func take(body *io.ReadCloser) ([]byte, error) {
	if *body == nil {
		return nil, nil
	}
	data, err := io.ReadAll(*body)
	if err = errors.Join(err, (*body).Close()); err != nil {
		return nil, err
	}
	*body = io.NopCloser(bytes.NewReader(data))
	return data, nil
}

func (c *checker) input(req *http.Request, body []byte, route *routers.Route, params map[string]string) *openapi3filter.RequestValidationInput {
	copied := req.Clone(context.Background())
	copied.Body = io.NopCloser(bytes.NewReader(body))
	if copied.Header.Get("Content-Type") == "" && len(body) > 0 {
		copied.Header.Set("Content-Type", "application/json")
	}
	return &openapi3filter.RequestValidationInput{
		Request: copied, PathParams: params, Route: route,
		Options: &openapi3filter.Options{
			MultiError: true, AuthenticationFunc: openapi3filter.NoopAuthenticationFunc, SkipSettingDefaults: true,
		},
	}
}

// checkRequest also refuses query parameters that the operation does not have: GitHub ignores those in
// silence, and a misspelt filter would go unnoticed.
func (c *checker) checkRequest(in *openapi3filter.RequestValidationInput) error {
	for name := range in.Request.URL.Query() {
		if in.Route.Operation.Parameters.GetByInAndName(openapi3.ParameterInQuery, name) == nil {
			return fmt.Errorf("there is no query parameter %q", name)
		}
	}
	if len(in.Request.Header.Get("Authorization")) == 0 {
		return errors.New("it carries no credentials")
	}
	return openapi3filter.ValidateRequest(context.Background(), in)
}

func (c *checker) checkAnswer(in *openapi3filter.RequestValidationInput, resp *http.Response, body []byte) error {
	if resp.StatusCode == http.StatusNotModified {
		return nil
	}
	if in.Route.Operation.Responses.Status(resp.StatusCode) == nil {
		if resp.StatusCode < http.StatusBadRequest {
			return errors.New("the operation has no such status")
		}
		return c.checkBasicError(body)
	}
	return openapi3filter.ValidateResponse(context.Background(), &openapi3filter.ResponseValidationInput{
		RequestValidationInput: in, Status: resp.StatusCode, Header: resp.Header, Body: io.NopCloser(bytes.NewReader(body)),
		Options: in.Options,
	})
}

func (c *checker) checkBasicError(body []byte) error {
	var value any
	if err := json.Unmarshal(body, &value); err != nil {
		return err
	}
	if text, _ := value.(map[string]any)["message"].(string); text == "" {
		return errors.New("an error without a message")
	}
	return c.d.doc.Components.Schemas["basic-error"].Value.VisitJSON(value)
}

func (c *checker) note(route *routers.Route, status int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.codes[status]++
	if status < http.StatusMultipleChoices {
		c.met[route.Method+" "+shape(route.Path)] = true
	}
}
