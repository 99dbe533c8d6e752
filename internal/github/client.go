package github

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/bradleyfalzon/ghinstallation/v2"
	gh "github.com/google/go-github/v60/github"
)

// App identifies an installation of a GitHub App.
type App struct {
	ID             int64
	InstallationID int64
	PrivateKeyPEM  []byte
}

// Options configure a Client. Exactly one of Token and App is required.
type Options struct {
	// BaseURL is the REST API's root. Empty means github.com; for Enterprise Server either the
	// server's root or its /api/v3/.
	BaseURL string
	// Token is a personal or installation access token.
	Token string
	// App makes installation tokens and renews them before they end.
	App *App
	// Login is the account that the token acts as, for tokens that may not ask GitHub themselves
	// (GITHUB_TOKEN of a workflow). Empty means ask.
	Login string
	// HTTPClient gives its Transport, below everything here; Go's default one, with a limit of 30 seconds for
	// an answer to begin, when nil.
	HTTPClient *http.Client
	// UserAgent is sent with every request, "mooring" when empty.
	UserAgent string
	// MaxWait is the longest that one request waits for a rate limit to end; beyond it the answer is
	// a RateLimitError at once, so that no worker sleeps for an hour. 10 seconds when zero.
	MaxWait time.Duration
	// CacheBytes bounds the answers kept for conditional requests, 64 MiB when zero.
	CacheBytes int
	// Budgets are shared by the clients of a process, so that those of one identity keep within its limits
	// together; nil gives this client one of its own.
	Budgets *Budgets
	// Wait waits, or returns the context's error; nil means with a timer. Tests replace it.
	Wait func(ctx context.Context, d time.Duration) error
	// Clock is time.Now when nil.
	Clock func() time.Time
}

const (
	defaultMaxWait    = 10 * time.Second
	defaultCacheBytes = 64 << 20
	pageSize          = 100 // GitHub's largest
	maxPages          = 500 // against a server that has no last page
)

// Client is one identity at one GitHub. It is safe for concurrent use.
type Client struct {
	api      *gh.Client
	app      *ghinstallation.Transport // nil with a token
	asApp    *gh.Client                // the App itself, to ask for its own name; nil with a token
	token    string
	login    string
	baseURL  string
	identity struct {
		sync.Mutex
		account *Account
	}
	comments keyedLocks
	authors  authorCache
	budget   *budget
	clock    func() time.Time
}

// New makes a client; it asks GitHub nothing yet.
func New(opts Options) (*Client, error) {
	if (opts.Token == "") == (opts.App == nil) {
		return nil, errors.New("github: exactly one of a token and an App is required")
	}
	opts.setDefaults()
	base, err := apiURL(opts.BaseURL)
	if err != nil {
		return nil, err
	}
	budget := opts.Budgets.of(base, opts)
	retry := newRetryTransport(opts, budget)
	c := &Client{token: opts.Token, login: opts.Login, baseURL: base.String(), budget: budget, clock: opts.Clock}
	var authorized http.RoundTripper = &tokenTransport{next: retry, token: opts.Token}
	if opts.App != nil {
		if authorized, err = c.installApp(retry, opts); err != nil {
			return nil, err
		}
	}
	c.api, err = apiClient(base, opts.UserAgent, newCacheTransport(authorized, opts.CacheBytes))
	return c, err
}

func (o *Options) setDefaults() {
	if o.MaxWait == 0 {
		o.MaxWait = defaultMaxWait
	}
	if o.CacheBytes == 0 {
		o.CacheBytes = defaultCacheBytes
	}
	if o.UserAgent == "" {
		o.UserAgent = "mooring"
	}
	if o.Budgets == nil {
		o.Budgets = &Budgets{}
	}
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.Wait == nil {
		o.Wait = waitTimer
	}
}

func waitTimer(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// apiURL completes a base URL the way that Enterprise Server wants it, with one slash at the end.
func apiURL(text string) (*url.URL, error) {
	if text == "" {
		text = "https://api.github.com/"
	}
	u, err := url.Parse(text)
	if err != nil || (u.Scheme != "https" && u.Scheme != "http") || u.Host == "" {
		return nil, fmt.Errorf("github: the base URL %q is no http(s) address", text)
	}
	if u.User != nil {
		return nil, errors.New("github: the base URL must not carry credentials")
	}
	u.Path = strings.TrimRight(u.Path, "/") + "/"
	if !strings.HasPrefix(u.Host, "api.") && !strings.HasSuffix(u.Path, "/api/v3/") {
		u.Path += "api/v3/"
	}
	return u, nil
}

func apiClient(base *url.URL, agent string, transport http.RoundTripper) (*gh.Client, error) {
	client := gh.NewClient(&http.Client{
		Transport: transport,
		// The transport below adds the token to every request, so one that leaves for another host must not happen.
		CheckRedirect: func(req *http.Request, via []*http.Request) error {
			if req.URL.Host != base.Host || len(via) > 5 {
				return fmt.Errorf("refused a redirect to %s", req.URL.Host)
			}
			return nil
		},
	})
	client.BaseURL, client.UserAgent = base, agent
	return client, nil
}

func (c *Client) installApp(transport http.RoundTripper, opts Options) (http.RoundTripper, error) {
	apps, err := ghinstallation.NewAppsTransport(transport, opts.App.ID, opts.App.PrivateKeyPEM)
	if err != nil {
		return nil, errors.New("github: the App's private key is no RSA key in PEM form")
	}
	apps.BaseURL = strings.TrimSuffix(c.baseURL, "/")
	base, err := apiURL(opts.BaseURL)
	if err != nil {
		return nil, err
	}
	if c.asApp, err = apiClient(base, opts.UserAgent, apps); err != nil {
		return nil, err
	}
	// A transport of its own: renewing a token writes to the apps transport that it renews with.
	renewing := *apps
	c.app = ghinstallation.NewFromAppsTransport(&renewing, opts.App.InstallationID)
	return c.app, nil
}

// Token gives a token that works now: Git's password for HTTPS, with any user name.
func (c *Client) Token(ctx context.Context) (string, error) {
	if c.app == nil {
		return c.token, nil
	}
	token, err := c.app.Token(ctx)
	if err != nil {
		return "", wrap(ctx, err, "get an installation token")
	}
	return token, nil
}

// InstallationID finds where the App is installed for a repository; it takes a client with an App, whose own
// InstallationID may be any number for this.
func (c *Client) InstallationID(ctx context.Context, owner, repo string) (int64, error) {
	if c.asApp == nil {
		return 0, invalid("the client has a token and no App", "find the installation for %s/%s", owner, repo)
	}
	found, _, err := c.asApp.Apps.FindRepositoryInstallation(ctx, owner, repo)
	if err != nil {
		return 0, wrap(ctx, err, "find the installation for %s/%s", owner, repo)
	}
	return found.GetID(), nil
}

// Rate is the state of the hourly rate limit after the latest answer.
type Rate struct {
	Limit, Remaining int
	Reset            time.Time
}

// Rate gives the rate limit of the REST API as last heard of, zero before the first answer.
func (c *Client) Rate() Rate { return c.budget.rate("core") }

// CurrentUser gives the account under which this client writes. Its id tells whose a comment is: the name may
// change while this process runs.
func (c *Client) CurrentUser(ctx context.Context) (Account, error) {
	c.identity.Lock()
	defer c.identity.Unlock()
	if c.identity.account != nil {
		return *c.identity.account, nil
	}
	account, err := c.askIdentity(ctx)
	if err != nil {
		return Account{}, err
	}
	c.identity.account = &account
	return account, nil
}

func (c *Client) askIdentity(ctx context.Context) (Account, error) {
	login := c.login
	if login == "" && c.asApp != nil {
		app, _, err := c.asApp.Apps.Get(ctx, "")
		if err != nil {
			return Account{}, wrap(ctx, err, "ask which App this is")
		}
		login = app.GetSlug() + "[bot]" // as which an App writes
	}
	user, _, err := c.api.Users.Get(ctx, login) // without a login it is whose token this is
	if err == nil {
		return accountOf(user), nil
	}
	err = wrap(ctx, err, "ask which account this is")
	if login != "" && errors.Is(err, ErrNotFound) {
		return Account{Login: login}, nil // under which account GitHub writes is seen with the first comment
	}
	return Account{}, err
}

// learn takes over the account that GitHub shows as the author of what this client wrote.
func (c *Client) learn(account Account) {
	c.identity.Lock()
	defer c.identity.Unlock()
	c.identity.account = &account
}

// all follows a list to its end. GitHub's ETag of a page does not change when another page appears behind
// it, so a full page is followed by the next one even when its (kept) Link header names none.
func all[T any](ctx context.Context, limit int, fetch func(context.Context, gh.ListOptions) ([]T, *gh.Response, error)) ([]T, error) {
	var list []T
	for page := 1; page <= maxPages; page++ {
		items, resp, err := fetch(ctx, gh.ListOptions{Page: page, PerPage: pageSize})
		if err != nil {
			return nil, err
		}
		list = append(list, items...)
		if limit > 0 && len(list) >= limit {
			return list, ErrTruncated
		}
		if len(items) < pageSize && resp.NextPage == 0 {
			return list, nil
		}
	}
	return list, ErrTruncated
}
