// The focus of a reader by keys, where the control that has it goes away or cannot be used a while.
import { useEffect } from "preact/hooks";
import type { RefObject } from "preact";

/**
 * Keeps the focus in its place within an element: a control that was only switched off gets it back;
 * after one that is gone, its line of the list has it, else the heading of its section.
 */
export function useKeptFocus(within: RefObject<HTMLElement | null>): void {
  useEffect(() => {
    const root = within.current;
    if (!root) return;
    let last: { control: HTMLElement; around: HTMLElement[] } | null = null;
    const note = ({ target }: FocusEvent) => {
      if (target instanceof HTMLElement) last = { control: target, around: around(target, root) };
    };
    // Who presses the pointer elsewhere leaves the control on purpose.
    const leave = ({ target }: PointerEvent) => {
      if (last && !(target instanceof Node && last.control.contains(target))) last = null;
    };
    const keep = () => {
      if (!last || document.activeElement !== document.body) return;
      const { control } = last;
      if (!control.isConnected) focusOn(last.around.find((each) => each.isConnected) ?? root);
      else if (!control.matches(":disabled")) control.focus();
    };
    const changes = new MutationObserver(keep);
    changes.observe(root, { childList: true, subtree: true, attributeFilter: ["disabled"] });
    root.addEventListener("focusin", note);
    document.addEventListener("pointerdown", leave);
    return () => {
      changes.disconnect();
      root.removeEventListener("focusin", note);
      document.removeEventListener("pointerdown", leave);
    };
  }, []);
}

/** Where the focus may go instead, the nearest first. None of them does anything when Enter is pressed. */
function around(control: HTMLElement, root: HTMLElement): HTMLElement[] {
  const line = control.closest("li");
  const heading = control.closest("section")?.querySelector<HTMLElement>("h2");
  return [line, heading].filter((each) => each != null && each !== control && root.contains(each)) as HTMLElement[];
}

function focusOn(element: HTMLElement): void {
  if (!element.hasAttribute("tabindex")) element.tabIndex = -1;
  element.focus();
}
