// Calls of sign-in, as agreed, until the pool's OpenAPI document has them.
export interface SessionView {
  person: {
    id: string;
    name: string;
    email: string;
    role: string;
    coop: string;
    project: string;
    lang: string;
  };
  session: string;
  csrf: string;
  expires_at: number;
  pool: string;
}

export interface SigninDoors {
  oidc: { name: string } | null;
  email: boolean;
  pool: string;
}

export interface SigninSessionView {
  session: string;
  device: string;
  made_at: number;
  seen_at: number;
  expires_at: number;
  current: boolean;
}

interface Answer<T> {
  responses: { 200: { headers: Record<string, unknown>; content: { "application/json": T } } };
}
interface Body<T> {
  requestBody: { content: { "application/json": T } };
}

export interface PlannedPaths {
  "/v1/session": {
    get: Answer<SessionView>;
    post: Answer<SessionView> & Body<{ token: string }>;
    patch: Answer<SessionView> & Body<{ lang: string }>;
    delete: Answer<unknown>;
  };
  "/v1/sessions": { get: Answer<{ data: SigninSessionView[] }> };
  "/v1/sessions/{session}": { delete: Answer<unknown> & { parameters: { path: { session: string } } } };
  "/v1/signin": { get: Answer<SigninDoors> };
  "/v1/signin/email": { post: Answer<unknown> & Body<{ email: string }> };
}
