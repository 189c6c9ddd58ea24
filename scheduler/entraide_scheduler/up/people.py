"""Demo people: somebody of each co-op of the local pool and its operator, who sign in by a link."""

from entraide import i18n
from entraide.client.admin import AdminClient
from entraide.v1 import admin_pb2
from entraide_scheduler.store.person_rows import Role
from entraide_scheduler.supervision.poolfile import PoolFile
from entraide_scheduler.up.sites import SITES, Site

PROJECT = "demo"  # that of the demo keys


def list_signin_links(pool: PoolFile, lang: str) -> list[str]:
    """Returns a line for each demo person with a new sign-in link; adds people who are missing."""
    demo = [(site, Role.COOP_ADMIN) for site in SITES] + [(SITES[0], Role.OPERATOR)]
    with AdminClient(pool.grpc, pool.admin_key, ca_pem=pool.ca, lang=lang) as admin:
        listed = admin.call("ListPeople", admin_pb2.ListPeopleRequest()).people
        enabled = {(each.coop, each.role): each.person for each in listed if not each.disabled_at}
        lines = []
        for site, role in demo:
            person = enabled.get((site.coop, role.value)) or _add(admin, site, role, lang)
            asked = admin_pb2.MakeSigninLinkRequest(person=person)
            link = admin.call("MakeSigninLink", asked).link
            values = {"coop": site.coop_name, "role": i18n.text(f"role-{role.value}", lang)}
            lines.append(i18n.text("up-signin-of", lang, **values, link=link))
    return lines


def _add(admin: AdminClient, site: Site, role: Role, lang: str) -> str:
    name = f"{site.coop_name} ({i18n.text(f'role-{role.value}', lang)})"
    request = admin_pb2.AddPersonRequest(
        coop=site.coop, name=name, role=role.value, project=PROJECT
    )
    return str(admin.call("AddPerson", request).person)
