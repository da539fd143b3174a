// Purpose: HTTP as the builder speaks it: streamed, with connections shared by a build, through the proxies of the host.
// Owns: connections, redirects, proxies.
// Must not: know what is transferred or where it goes; read the environment.
export { basicAuthorization, createHttpClient, type HttpClient, type HttpRequest, type Proxies } from './client.ts';
