// The sign of Entraide: two rings, each passing through the other. `mark.svg` is the same for tabs.
export function Mark() {
  return (
    <svg class="mark" viewBox="0 0 40 28" width="40" height="28" aria-hidden="true">
      <g fill="none" stroke="currentColor" stroke-width="4">
        <path d="M22.9 10.6A9.5 9.5 0 1 1 16.5 4.8" />
        <path d="M17.6 17.4A9.5 9.5 0 1 1 24.0 23.2" />
      </g>
    </svg>
  );
}
