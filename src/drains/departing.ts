/**
 * A route configuration that there isn't. A sidecar whose run.sh was told to stop asks for it, on
 * the stream on which it has proved who it is (src/cli/run-script.ts): that is its word that it is
 * about to go (decision 039).
 */
export const DEPARTING_ROUTE = 'countersign:departing';
