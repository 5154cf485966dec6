"""`make demo`: the main job from nothing, on the local cloud, told so that a newcomer understands the product.

`__main__` is the story, `operator` what the platform's people do and see, `tenants` the four tenants with their keys
and their own tools, `screen` what it looks like.
"""
