"""Control: the gRPC services by which machines join and the operator rules.

It is for people and for seldom things: nothing here lies on a request's way.
"""
